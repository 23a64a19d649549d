/**
 * What a container with an uplink is to reach, on the own addresses of a machine that is a network namespace: TCP and UDP
 * that answer with the question, and a resolver that knows one name. Prints "ready"; ends with its stdin.
 */
const [addresses = "", tcp = "0", udp = "0", resolvers = ""] = process.argv.slice(2);

const NAME_HEADER = 12;
/** A record {pointer to the question's name, A, IN, ttl 60, 203.0.113.9}: RFC 1035, 4.1.3. */
const ANSWER = Buffer.from([0xc0, NAME_HEADER, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 203, 0, 113, 9]);

/** box.test has one IPv4 address; every other question gets no answer record. */
function resolve(query: Buffer): Buffer {
  const end = query.indexOf(0, NAME_HEADER) + 5;
  const question = query.subarray(NAME_HEADER, end);
  const known = question.toString("latin1").startsWith("\x03box\x04test\0") && question.readUInt16BE(question.length - 4) === 1;
  const header = Buffer.from(query.subarray(0, NAME_HEADER));
  header.writeUInt16BE(0x8180, 2); // a response without error
  header.writeUInt16BE(1, 4);
  header.writeUInt16BE(known ? 1 : 0, 6);
  header.fill(0, 8);
  return Buffer.concat([header, question, known ? ANSWER : Buffer.alloc(0)]);
}

for (const hostname of addresses.split(",")) {
  Bun.listen({
    hostname,
    port: Number(tcp),
    allowHalfOpen: true,
    socket: {
      data: (socket, chunk) => {
        socket.end(`tcp ${hostname} ${chunk}`);
      },
    },
  });
  await Bun.udpSocket({
    hostname,
    port: Number(udp),
    socket: {
      data: (socket, chunk, port, address) => {
        socket.send(`udp ${hostname} ${chunk}`, port, address);
      },
    },
  });
}
for (const hostname of resolvers.split(",")) {
  await Bun.udpSocket({
    hostname,
    port: 53,
    socket: {
      data: (socket, chunk, port, address) => {
        socket.send(resolve(chunk), port, address);
      },
    },
  });
}
process.stdout.write("ready\n");
for await (const _ of process.stdin);
process.exit(0);

export {};
