/* Runs what macros.c and macros.cpp find out; 0 if all of it holds. */
#include <stdio.h>

int csploop_macros_in_c(void);
int csploop_macros_in_cpp(void);

int main(void) {
    int wrong_in_c = csploop_macros_in_c();
    int wrong_in_cpp = csploop_macros_in_cpp();
    if (wrong_in_c != 0 || wrong_in_cpp != 0) {
        fprintf(stderr, "wrong in C: %d, in C++: %d\n", wrong_in_c, wrong_in_cpp);
    }
    return wrong_in_c == 0 && wrong_in_cpp == 0 ? 0 : 1;
}
