/** The errors of src/net that come from the kernel. */
import { NetlinkError } from "../errors.ts";
import { errnoName, errnoText } from "../ffi/errno.ts";
import type { Ack, Request } from "./message.ts";

/** What to do about an errno, by its name. */
export const HINTS: Readonly<Record<string, string>> = {
  EPERM: "changing a network needs CAP_NET_ADMIN in the user namespace that owns it, also for a veth peer's side",
  ENOBUFS: "the kernel's answers did not fit the socket's receive buffer",
};

/** The error for a request that the kernel refused. */
export function refused(request: Request, { errno, extack }: Ack): NetlinkError {
  const code = errnoName(errno);
  const text = (extack ? undefined : request.meaning?.[code]) ?? errnoText(errno);
  return new NetlinkError(request.label, errno, code, text, extack, { hint: HINTS[code] });
}
