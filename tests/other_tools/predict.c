/* Prints class and probabilities of each sample of an IDX file of bytes with three dimensions. */
#include "digits.h"
#include "digits.h" /* including it twice is allowed */
#include <stdio.h>

int main(int argc, char **argv)
{
    unsigned char bytes[DIGITS_INPUTS];
    float elements[DIGITS_INPUTS], probabilities[DIGITS_CLASSES];
    FILE *file = argc == 2 ? fopen(argv[1], "rb") : NULL;
    if (file == NULL || fseek(file, 16, SEEK_SET) != 0)
        return 1;
    while (fread(bytes, 1, sizeof bytes, file) == sizeof bytes) {
        for (int i = 0; i < DIGITS_INPUTS; i++)
            elements[i] = (float)bytes[i];
        printf("%d", digits_predict(elements, probabilities));
        for (int c = 0; c < DIGITS_CLASSES; c++)
            printf(",%.9g", (double)probabilities[c]);
        printf("\n");
    }
    return fclose(file);
}
