// The parent's pid is sent to the container, whose shell is pid 1. It cannot kill its parent, but its own children.
import { run } from "nsrun";

const script = `
read parent
sleep 600 & first=$!
sleep 0.1 & second=$!
sleep 0.1 & third=$!
echo pids $$ $first $second $third
kill -9 $parent 2>&1
kill -9 $first
wait $first; echo first $?
wait $second; wait $third; echo last $?`;

const { stdout } = await run(script, { init: false, input: `${process.pid}\n` });
console.log(stdout.trim());

//> pids 1 2 3 4
//> …can't kill pid …: No such process
//> first 137
//> last 0
