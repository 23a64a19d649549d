/** `bun provoke-net.ts CASE`: an rtnetlink request of this network namespace that is refused; prints the error's code and hint. */

import { addKind, addNetem } from "../../src/doctor/links.ts";
import { NetlinkError, SyscallError } from "../../src/errors.ts";
import { Fd } from "../../src/ffi/fd.ts";
import { must } from "../../src/ffi/index.ts";
import { addAddress } from "../../src/net/address.ts";
import { parseAddress, parseCidr } from "../../src/net/cidr.ts";
import { setLinkUp } from "../../src/net/link.ts";
import type { Request } from "../../src/net/message.ts";
import { addDefaultRoute } from "../../src/net/route.ts";
import { NetlinkSocket } from "../../src/net/socket.ts";
import { addVeth } from "../../src/net/veth.ts";

const pair = addVeth({ name: "a", peer: { name: "b" } });
const socket = NetlinkSocket.open();

/** So small a receive buffer that two refusals do not fit. */
function narrow(): NetlinkSocket {
  const fd = Fd.from("open netlink socket", "socket", 16, 3 | 0x80000, 0);
  must(
    "make its buffer small",
    "setsockopt",
    fd.number,
    1 /* SOL_SOCKET */,
    8 /* SO_RCVBUF */,
    new Uint8Array(new ArrayBuffer(4)),
    4,
  );
  return new NetlinkSocket(fd);
}

const CASES: Record<string, () => void> = {
  EPERM: () => socket.run([pair]),
  EEXIST: () => socket.run([pair, pair]),
  ENODEV: () => socket.run([setLinkUp("nope")]),
  EOPNOTSUPP: () => socket.run([addKind("x", "bogus")]),
  ENOENT: () => socket.run([{ ...addNetem, body: renamed(addNetem) }]),
  ENETUNREACH: () => {
    socket.run([pair, setLinkUp("a"), setLinkUp("b")]);
    socket.run([addAddress("a", socket.indexOf("a"), parseCidr("10.0.0.2/24"))]);
    socket.run([addDefaultRoute("a", socket.indexOf("a"), parseAddress("10.9.9.9"))]);
  },
  ENOBUFS: () => narrow().run(Array.from({ length: 200 }, (_, i) => setLinkUp(`nope${i}`))),
};

/** The same request for a queue that no kernel has. */
function renamed({ body }: Request): Uint8Array {
  const copy = body.slice();
  const at = Buffer.from(copy.buffer).indexOf("netem");
  copy.set(Buffer.from("bogus"), at);
  return copy;
}

try {
  CASES[Bun.argv[2]!]!();
} catch (error) {
  if (!(error instanceof SyscallError)) throw error;
  console.log(JSON.stringify({ kernel: error instanceof NetlinkError, code: error.code, hint: error.hint }));
}
