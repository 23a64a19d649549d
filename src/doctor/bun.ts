/** What Bun itself and the trampoline need, and a busybox for the default root. */
import { NsrunError } from "../errors.ts";
import { machineCode } from "../ffi/machine-code.ts";
import { sys } from "../ffi/syscall.ts";
import { findBusybox } from "../rootfs/busybox.ts";
import { call } from "./child.ts";
import { asRoot, type Finding, inChild, looked, type Probe } from "./probe.ts";

const PROT_READ_WRITE = 3;
const PROT_READ_EXEC = 5;
const MAP_PRIVATE_ANONYMOUS = 0x22;
const PAGES = 65536;

/** memfd_create(2): MFD_CLOEXEC, and MFD_EXEC that kernels before 6.3 do not know. */
function memfd(): Finding {
  let fd = sys("memfd_create", "nsrun-doctor", 1 | 0x10);
  if (fd === -22) fd = sys("memfd_create", "nsrun-doctor", 1);
  if (fd >= 0) sys("close", fd);
  if (fd >= 0) return { works: true };
  return { works: false, detail: "vm.memfd_noexec forbids it: an unnamed file is used", code: "EACCES" };
}

async function busybox(): Promise<Finding> {
  try {
    const { file, origin } = await findBusybox({ fetch: false });
    return { works: true, detail: origin === "embedded" ? "in this executable" : file };
  } catch (error) {
    if (!(error instanceof NsrunError)) throw error;
    return { works: false, detail: error.message };
  }
}

export const bunProbes: readonly Probe[] = [
  {
    name: "execmem",
    lost: "everything: the trampoline's code cannot be loaded",
    main: true,
    attempt: () =>
      inChild(
        [
          call("map memory", "mmap", [0, PAGES, PROT_READ_WRITE, MAP_PRIVATE_ANONYMOUS, -1, 0], { store: true }),
          call("make it executable", "mprotect", [{ reg: true }, PAGES, PROT_READ_EXEC]),
        ],
        machineCode ? "the trampoline's code comes from the build" : "the trampoline was compiled by Bun's cc",
      ),
    remedy: () => asRoot("setsebool -P selinuxuser_execheap 1 (SELinux); systemd: MemoryDenyWriteExecute=no"),
  },
  {
    name: "memfd exec",
    lost: "a first program that is in memory only",
    attempt: () => looked(memfd()),
    remedy: () => asRoot("sysctl vm.memfd_noexec=1"),
  },
  {
    name: "busybox",
    lost: "the default root, until one is fetched by the package manager",
    attempt: () => {
      const found = busybox();
      return () => found;
    },
    remedy: () => asRoot("apt-get install busybox-static"),
  },
];
