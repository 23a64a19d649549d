/** The errors of src/net that come from the kernel: the network's part of the catalogue of causes (src/container/hints.ts). */
import { NetlinkError } from "../errors.ts";
import { errnoName, errnoText } from "../ffi/errno.ts";
import type { Ack, Request } from "./message.ts";

/** What to do about an errno, by its name. */
export const HINTS: Readonly<Record<string, string>> = {
  EPERM: "changing a network needs CAP_NET_ADMIN in the user namespace that owns it, also for a veth peer's side",
  ENOBUFS: "the kernel's answers did not fit the socket's receive buffer",
  EEXIST: "see what is there: ip -d link; ip address; ip route (inside: nsenter -t PID -n ip link)",
  ENODEV: "see what is there: ip link (inside: nsenter -t PID -n ip link)",
  EOPNOTSUPP:
    "the kernel lacks this kind of link, or its module is not loaded: modprobe veth, bridge, …; nsrun doctor tries each",
  ENOENT: "the kernel lacks it, or its module is not loaded: modprobe sch_netem, …; nsrun doctor tries each",
  ENETUNREACH: "a gateway must be in a net of the interface that leads to it, and that interface must be up",
};

/** The error for a request that the kernel refused. */
export function refused(request: Request, { errno, extack }: Ack): NetlinkError {
  const code = errnoName(errno);
  const text = (extack ? undefined : request.meaning?.[code]) ?? errnoText(errno);
  return new NetlinkError(request.label, errno, code, text, extack, { hint: HINTS[code] });
}
