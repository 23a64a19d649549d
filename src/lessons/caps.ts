/** root without its capabilities is nobody special: capabilities(7). */
import { CAPABILITIES, CLONE } from "../ffi/flags.ts";
import { answer, asked, child, memory, watch } from "./child.ts";
import * as code from "./code/caps.ts" with { type: "text" };
import type { Lab, Lesson } from "./lesson.ts";

/** linux/capability.h */
const [CAP_SYS_CHROOT, CAP_SYS_ADMIN] = [18, 21];
const VERSION_3 = 0x20080522;
/** linux/prctl.h */
const PR_CAPBSET_DROP = 24;
const NAME = "lesson";

/** capset(2): header and the sets effective, permitted, inheritable, the low 32 of each and then the high. */
function set(...capabilities: number[]) {
  const header = new Uint8Array(8);
  new DataView(header.buffer).setUint32(0, VERSION_3, true);
  const low = capabilities.reduce((all, one) => all | (1 << one), 0);
  const data = new Uint8Array(24);
  for (const at of [0, 4]) new DataView(data.buffer).setUint32(at, low, true);
  const names = capabilities.map((one) => `1<<${CAPABILITIES[one]}`).join("|") || "0";
  return [
    memory(header, "{version=_LINUX_CAPABILITY_VERSION_3, pid=0}"),
    memory(data, `{effective=${names}, permitted=${names}, inheritable=0}`),
  ] as const;
}

const making = () =>
  child("a child that gives up capabilities", CLONE.CLONE_NEWUTS, [
    asked("may it?", "sethostname", NAME, NAME.length),
    asked("never again, by any exec", "prctl", PR_CAPBSET_DROP, CAP_SYS_ADMIN, 0, 0, 0),
    asked("give up all others", "capset", ...set(CAP_SYS_CHROOT)),
    asked("who is it now?", "geteuid"),
    asked("may it still?", "sethostname", NAME, NAME.length),
    asked("what it has kept", "chroot", "/"),
    asked("get one back", "capset", ...set(CAP_SYS_CHROOT, CAP_SYS_ADMIN)),
  ]);

export const caps: Lesson = {
  name: "caps",
  title: "root is what its capabilities make it",
  will: [
    "clone a child that is root in a uts namespace, and may call sethostname: it has CAP_SYS_ADMIN",
    "it gives up all capabilities but CAP_SYS_CHROOT, by capset: it is user 0 still",
    "it tries sethostname again, chroot, and to get CAP_SYS_ADMIN back",
  ],
  plans: () => [making()],
  code,
  run(lab: Lab) {
    const [named, dropped, given, uid, denied, kept, back] = watch(making()).answers;
    lab.see("sethostname() with CAP_SYS_ADMIN", "0", answer(named));
    lab.see("prctl(PR_CAPBSET_DROP, CAP_SYS_ADMIN)", "0", answer(dropped));
    lab.see("capset() to CAP_SYS_CHROOT alone", "0", answer(given));
    lab.see("geteuid()", "0", answer(uid));
    lab.see("sethostname() without it", "EPERM (operation not permitted)", answer(denied));
    lab.see("chroot(), with the one that was kept", "0", answer(kept));
    lab.see("capset() to get it back", "EPERM (operation not permitted)", answer(back));
  },
};
