/* Prints the outputs of the network for each sample of an IDX file of bytes with two dimensions. */
#include "rows.h"
#include <stdio.h>

#ifdef ROWS_CLASSES
#define WIDTH ROWS_CLASSES
#else
#define WIDTH ROWS_OUTPUTS
#endif

int main(int argc, char **argv)
{
    unsigned char bytes[ROWS_INPUTS];
    float elements[ROWS_INPUTS], row[WIDTH];
    FILE *file = argc == 2 ? fopen(argv[1], "rb") : NULL;
    if (file == NULL || fseek(file, 12, SEEK_SET) != 0)
        return 1;
    while (fread(bytes, 1, sizeof bytes, file) == sizeof bytes) {
        for (int i = 0; i < ROWS_INPUTS; i++)
            elements[i] = (float)bytes[i];
        rows_predict(elements, row);
        for (int o = 0; o < WIDTH; o++)
            printf("%s%.9g", o > 0 ? "," : "", (double)row[o]);
        printf("\n");
    }
    return fclose(file);
}
