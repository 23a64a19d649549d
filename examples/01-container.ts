// A container that lives as long as its block: commands join it, and nothing is left afterwards.
//   sudo bun examples/01-container.ts
import { container } from "../src/index.ts";

await using box = await container({ hostname: "lab", tmpfs: ["/scratch:size=1m"] });

const names = await box.exec("hostname; id -un; echo pid $$");
console.log(names.stdout.trim().split("\n").join(", "));

await box.exec("echo kept between commands > /scratch/note");
const note = await box.exec(["cat", "/scratch/note"]);
console.log(note.stdout.trim());

const wrong = await box.exec("exit 3");
console.log(`exit code ${wrong.code}`);
