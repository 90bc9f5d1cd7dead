/** Replaces, in the wheel, zeromq's module that finds its add-on: there the add-on lies next to the code. */

Object.defineProperty(exports, "__esModule", { value: true });

// not a literal in `require`, because the bundler would resolve it
const file = `./prebuilds/${process.platform}-${process.arch}${usesMusl() ? "-musl" : ""}.node`;
const addon = require(file);
// without CURVE the server could not keep strangers out, and nobody would notice
if (!addon.capability.curve) throw new Error("this build of ZeroMQ cannot encrypt");
exports.default = addon;

/** Whether this Node is linked with musl. If so, it reports no version of glibc. */
function usesMusl() {
  if (process.platform !== "linux") return false;
  process.report.excludeNetwork = true; // looking up names takes time
  return process.report.getReport().header.glibcVersionRuntime === undefined;
}
