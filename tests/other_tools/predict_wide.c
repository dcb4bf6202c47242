/* Prints the value of each sample of an IDX file of big-endian doubles with two dimensions. */
#include "wide.h"
#include <stdint.h>
#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
    unsigned char bytes[8 * WIDE_INPUTS];
    double elements[WIDE_INPUTS];
    float values[WIDE_OUTPUTS];
    FILE *file = argc == 2 ? fopen(argv[1], "rb") : NULL;
    if (file == NULL || fseek(file, 12, SEEK_SET) != 0)
        return 1;
    while (fread(bytes, 1, sizeof bytes, file) == sizeof bytes) {
        for (int i = 0; i < WIDE_INPUTS; i++) {
            uint64_t bits = 0;
            for (int b = 0; b < 8; b++)
                bits = bits << 8 | bytes[8 * i + b];
            memcpy(&elements[i], &bits, sizeof bits);
        }
        wide_predict(elements, values);
        printf("%.9g\n", (double)values[0]);
    }
    return fclose(file);
}
