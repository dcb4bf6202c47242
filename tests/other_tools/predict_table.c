/* Prints the value of each row of a file of numbers. */
#include "table.h"
#include <stdio.h>

int main(int argc, char **argv)
{
    double elements[TABLE_COLUMNS];
    float values[TABLE_OUTPUTS];
    FILE *file = argc == 2 ? fopen(argv[1], "r") : NULL;
    if (file == NULL)
        return 1;
    for (int i = 0; fscanf(file, "%lf", &elements[i]) == 1;) {
        if (++i < TABLE_COLUMNS)
            continue;
        table_predict(elements, values);
        printf("%.9g\n", (double)values[0]);
        i = 0;
    }
    return fclose(file);
}
