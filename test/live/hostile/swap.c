/* Exchanges two names of one directory as fast as it can, until it is killed: a hostile writer of a shared volume. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <signal.h>
#include <unistd.h>

int main(int n, char **argv) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (n != 4 || chdir(argv[1])) return 1;
  puts("ready");
  fflush(stdout);
  for (;;)
    if (renameat2(AT_FDCWD, argv[2], AT_FDCWD, argv[3], RENAME_EXCHANGE)) return 2;
}
