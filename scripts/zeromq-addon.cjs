/** In the wheel, takes the place of the module by which the zeromq package finds its add-on: there it lies beside the code. */

Object.defineProperty(exports, "__esModule", { value: true });

// not a literal in `require`, which the bundler would look up
const file = `./prebuilds/${process.platform}-${process.arch}${usesMusl() ? "-musl" : ""}.node`;
const addon = require(file);
// without it the server could not keep strangers out, which shall never go unnoticed
if (!addon.capability.curve) throw new Error("this build of ZeroMQ cannot encrypt");
exports.default = addon;

/** Whether this Node is linked with musl: then it names no version of glibc. */
function usesMusl() {
  if (process.platform !== "linux") return false;
  process.report.excludeNetwork = true; // looking up names takes time
  return process.report.getReport().header.glibcVersionRuntime === undefined;
}
