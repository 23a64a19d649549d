/*
 * The trampoline: everything of nsrun that is not TypeScript. No headers, no libc, no data of its own.
 *
 * bun:ffi's cc (TinyCC) compiles it when nsrun starts. checks.c, watch.c and end.c follow in the
 * same text. The bytes between nsi_begin and nsi_end are position independent and used twice:
 *   - in Bun's own process: nsi_sys (one raw system call) and nsi_vexec (start a sealed ELF), bound by native.ts;
 *   - as the text of that ELF (image.ts), whose entry point is nsi_begin and whose data segment is a plan.
 *
 * The law of this file, since half of it runs as pid 1 of a container:
 *   every function is static or hidden; no string literal, no static data, no array initialiser (TinyCC would call
 *   memset or leave the range); a step that fails ends the process, or the container: the rest of its lane must never run.
 */
#define HID extern __attribute__((visibility("hidden")))
HID char nsi_begin[];
HID char nsi_end[];
HID long nsi_sys(long n, long a, long b, long c, long d, long e, long f);
HID long nsi_vexec(long flags, long *job);
HID void nsi_main(void);

/* nsi_begin  the ELF's entry: align the stack, go to nsi_main.
 * nsi_sys    one system call; returns -errno, touches no errno (it may run beside Bun's threads).
 * nsi_vexec  clone(flags, 0, &job[1]); then, in the child, fcntl(fd, F_SETFD, 0) for each int of the list job[8] up to a
 *            negative one, and the one call job[2](job[3] … job[7]), execveat as a rule. In registers only: the child may share
 *            Bun's stack and must not write to it. Its table of descriptors is its own: Bun's stay close-on-exec throughout,
 *            whatever another thread starts meanwhile. job[0] receives the result, if the call returns. */
#if defined(__x86_64__)
__asm__("nsi_begin:\n"
        "  xor %ebp, %ebp\n  and $-16, %rsp\n  call nsi_main\n  hlt\n"
        "nsi_sys:\n"
        "  mov %rdi, %rax\n  mov %rsi, %rdi\n  mov %rdx, %rsi\n  mov %rcx, %rdx\n"
        "  mov %r8, %r10\n  mov %r9, %r8\n  mov 8(%rsp), %r9\n  syscall\n  ret\n"
        "nsi_vexec:\n"
        "  mov %rsi, %r9\n  lea 8(%rsi), %rdx\n  xor %esi, %esi\n  xor %r10d, %r10d\n  xor %r8d, %r8d\n"
        "  mov $56, %eax\n  syscall\n  test %rax, %rax\n  jnz nsi_vexec_out\n"
        "  mov 64(%r9), %r12\n"
        "nsi_vexec_next:\n"
        "  movslq (%r12), %rdi\n  test %rdi, %rdi\n  js nsi_vexec_exec\n"
        "  mov $2, %esi\n  xor %edx, %edx\n  mov $72, %eax\n  syscall\n  add $4, %r12\n  jmp nsi_vexec_next\n"
        "nsi_vexec_exec:\n"
        "  mov 16(%r9), %rax\n  mov 24(%r9), %rdi\n  mov 32(%r9), %rsi\n  mov 40(%r9), %rdx\n"
        "  mov 48(%r9), %r10\n  mov 56(%r9), %r8\n  syscall\n"
        "  mov %rax, (%r9)\n  mov $127, %edi\n  mov $60, %eax\n  syscall\n"
        "nsi_vexec_out:\n  ret\n");
#elif defined(__aarch64__)
/* TinyCC has no aarch64 assembler for these; the words are, in order:
 *   mov x0,sp; b nsi_main (38 words on, so nsi_main must be the first C function)
 *   mov x8,x0; mov x0,x1; … mov x5,x6; svc 0; ret
 *   vexec: mov x9,x1; add x2,x1,8; mov x1,0; mov x3,0; mov x4,0; mov x8,220; svc 0; cbnz x0,out; ldr x10,[x9,64];
 *   next:  ldrsw x0,[x10],4; tbnz x0,63,exec; mov x1,2; mov x2,0; mov x8,25; svc 0; b next;
 *   exec:  ldr x8,[x9,16]; ldr x0,[x9,24]; ldr x1,[x9,32]; ldr x2,[x9,40]; ldr x3,[x9,48]; ldr x4,[x9,56]; svc 0;
 *          str x0,[x9]; mov x0,127; mov x8,93; svc 0; out: ret */
__asm__("nsi_begin:\n .int 0x910003e0,0x14000026\n"
        "nsi_sys:\n .int 0xaa0003e8,0xaa0103e0,0xaa0203e1,0xaa0303e2,0xaa0403e3,0xaa0503e4,0xaa0603e5,0xd4000001,0xd65f03c0\n"
        "nsi_vexec:\n .int 0xaa0103e9,0x91002022,0xd2800001,0xd2800003,0xd2800004,0xd2801b88,0xd4000001,0xb5000280\n"
        " .int 0xf940212a,0xb8804540,0xb7f800c0,0xd2800041,0xd2800002,0xd2800328,0xd4000001,0x17fffffa\n"
        " .int 0xf9400928,0xf9400d20,0xf9401121,0xf9401522,0xf9401923,0xf9401d24,0xd4000001\n"
        " .int 0xf9000120,0xd2800fe0,0xd2800ba8,0xd4000001,0xd65f03c0\n");
#endif

struct step {          /* layout shared with src/ffi/program.ts */
  long nr;             /* system call, or one of the loops below */
  long a[6];
  long flags;          /* bits 0-5: argument i is the register; then the bits below */
  long tolerate;       /* an errno that counts as success (0: none) */
  long jump;           /* where the parent side goes on after a clone (0: no clone) */
};
#define STORE 64       /* the result becomes the register */
#define SOFT 128       /* a failure is passed over, and told when a later step fails for good */
#define EXACT 256      /* the result must equal a[2]: a whole read or write */
#define TELL 512       /* the result is reported, whatever it is, and the list goes on */

struct plan {          /* at PLAN_ADDR in the ELF's data segment */
  long sock;           /* the socket to the supervisor */
  int rec[4];          /* the record to send: kind, a, b, 0 */
  long size;           /* bytes of the segment, for munmap */
  struct step steps[1];
};
/* record kinds, see src/container/channel.ts */
#define R_FAILED 2
#define R_ENDED 3
#define R_SOFT 4
#define R_WATCHED 6
#define R_TOLD 7

static void nsi_run(struct plan *p);
static void nsi_watch(long pid, long sock, long terminal); /* watch.c */
static long nsi_restore(long fd, char *raw, long saved);
struct pollfd { int fd; short events; short revents; };
static long nsi_guard(long pidfd); /* checks.c */
static void nsi_sweep(long path);
static long nsi_rooted(void);
static long nsi_bound(long keep);
static long nsi_says(long fd, char *text, long length);
static long nsi_at_root(void);
static long nsi_on_mounts(long fd, long *others);
static long nsi_descriptors(long end);

void nsi_main(void) { nsi_run((struct plan *)PLAN_ADDR); }

/* The end, whatever a filter of the user's makes of it. SIGSEGV of one's own fault is forced: it can be neither blocked nor
 * ignored, and ends pid 1 too. No kill(2): a getpid(2) that is refused as well would make its target "everybody". */
static void nsi_exit(long code) {
  nsi_sys(SYS_exit_group, code, 0, 0, 0, 0, 0);
  nsi_sys(SYS_exit, code, 0, 0, 0, 0, 0);
  for (;;) *(volatile char *)0 = 0;
}

static long nsi_send(long sock, int *rec, int kind, int a, int b) {
  rec[0] = kind;
  rec[1] = a;
  rec[2] = b;
  rec[3] = 0;
  return nsi_sys(SYS_sendto, sock, (long)rec, 16, 0x4000 /* MSG_NOSIGNAL */, 0, 0);
}

/* The user's filter may refuse sendto(2), and write(2) not. EPIPE: nobody is there, and write would end us before our work is done. */
static void nsi_tell(long sock, int *rec, int kind, int a, int b) {
  long r;
  r = nsi_send(sock, rec, kind, a, b);
  if (r != 16 && r != -32) nsi_sys(SYS_write, sock, (long)rec, 16, 0, 0, 0);
}

/* The end of a lane: what was passed over before (every place where the command was looked for), then the failure itself.
 * Not told one by one: each record would wake the supervisor while the command starts. Who has a container (the kernel writes
 * its pid for the stage alone, the caller of clone) ends that, and goes on at its watch, so that all is cleaned up as ever. */
static long nsi_fail(struct plan *p, long i, long error) {
  long k;
  int rec[4]; /* not p->rec: that holds the pid which the watch needs */
  for (k = 0; k < i; k++)
    if ((p->steps[k].flags & SOFT) && p->steps[k].a[5]) nsi_tell(p->sock, rec, R_SOFT, k, p->steps[k].a[5]);
  nsi_tell(p->sock, rec, R_FAILED, i, error);
  if (!p->rec[1]) nsi_exit(125);
  nsi_sys(SYS_kill, p->rec[1], 9, 0, 0, 0, 0);
  while (p->steps[i].nr != -3) i++;
  return i;
}

/* Every disposition back to SIG_DFL: Bun ignores SIGPIPE and SIGXFSZ and passes on what its own caller ignored, and
 * an ignored SIGCHLD would make the kernel reap behind our back. sa: 32 zero bytes. 9 and 19 answer EINVAL. */
static long nsi_reset(long sa) {
  long sig;
  for (sig = 1; sig <= 64; sig++) nsi_sys(SYS_rt_sigaction, sig, sa, 0, 8, 0, 0);
  return 0;
}

/* pid 1's life: reap, pass signals on, end with the payload (pid 0: none, live until killed). All signals are blocked,
 * and a blocked signal is never discarded, not even for pid 1, so nothing is lost between two turns. */
static void nsi_reap(long pid, long to, long sock, long plan, long size) {
  long set, sig, child;
  int status;
  int rec[4];
  nsi_sys(SYS_munmap, plan, size, 0, 0, 0, 0); /* environment and host paths are not left in pid 1's memory */
  set = -1;
  for (;;) {
    sig = nsi_sys(SYS_rt_sigtimedwait, (long)&set, 0, 0, 8, 0, 0);
    if (sig != 17) {
      /* synchronous fault signals sent by hand stay here: 4 ILL 5 TRAP 6 ABRT 7 BUS 8 FPE 11 SEGV 31 SYS */
      if (sig > 0 && pid && !((0x800009f0 >> sig) & 1 && sig < 32)) nsi_sys(SYS_kill, to, sig, 0, 0, 0, 0);
      continue;
    }
    for (;;) {
      child = nsi_sys(SYS_wait4, -1, (long)&status, 1 /* WNOHANG */, 0, 0, 0);
      if (child <= 0) break;
      if (child != pid) continue;
      nsi_send(sock, rec, R_ENDED, status, 0);
      nsi_exit(status & 0x7f ? 128 + (status & 0x7f) : (status >> 8) & 0xff);
    }
  }
}

static void nsi_run(struct plan *p) {
  struct step *s;
  long i, k, r, reg;
  long a[6];
  int rec[4]; /* not p->rec: that holds the pid which the watch needs */
  i = 0;
  reg = 0;
  for (;;) {
    s = &p->steps[i];
    for (k = 0; k < 6; k++) a[k] = (s->flags >> k) & 1 ? reg : s->a[k];
    if (s->nr == -1) r = nsi_reset(a[0]);
    else if (s->nr == -2) {
      nsi_reap(a[0], a[1] ? -a[0] : a[0], p->sock, (long)p, p->size);
      r = 0;
    } else if (s->nr == -3) {
      nsi_watch(p->rec[1], p->sock, a[0]);
      p->rec[1] = 0;
      r = 0;
    } else if (s->nr == -4) r = nsi_guard(a[0]);
    else if (s->nr == -5) {
      nsi_sweep(a[0]);
      r = 0;
    } else if (s->nr == -6) r = nsi_restore(a[0], (char *)a[1], a[2]);
    else if (s->nr == -7) r = nsi_rooted();
    else if (s->nr == -8) r = nsi_bound(a[0]);
    else if (s->nr == -9) r = nsi_says(a[0], (char *)a[1], a[2]);
    else if (s->nr == -10) r = nsi_at_root();
    else if (s->nr == -11) r = nsi_on_mounts(a[0], a + 1);
    else if (s->nr == -12) r = nsi_descriptors(a[0]);
    else {
      r = nsi_sys(s->nr, a[0], a[1], a[2], a[3], a[4], a[5]);
      /* openat2(2): a mount or rename anywhere on the machine while a scoped path went through ".."; the caller may retry */
      for (k = 0; k < 1024 && r == -11 /* EAGAIN */ && s->nr == SYS_openat2; k++)
        r = nsi_sys(s->nr, a[0], a[1], a[2], a[3], a[4], a[5]);
    }
    if (s->flags & TELL) nsi_send(p->sock, rec, R_TOLD, i, r);
    else if ((r < 0 && -r != s->tolerate) || ((s->flags & EXACT) && r != a[2])) {
      if (!(s->flags & SOFT)) {
        i = nsi_fail(p, i, r < 0 ? -r : 0);
        continue;
      }
      s->a[5] = -r; /* no soft step has six arguments that are used twice */
    }
    if (s->flags & STORE) reg = r;
    i = s->jump && r > 0 ? s->jump : i + 1;
  }
}
