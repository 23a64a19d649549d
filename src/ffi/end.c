/* The end of the trampoline's text, and the one exported function. */
__asm__("nsi_end:\n");

void nsi_table(long *t) {
  t[0] = (long)nsi_sys;
  t[1] = (long)nsi_vexec;
  t[2] = (long)nsi_begin;
  t[3] = (long)nsi_end;
}
