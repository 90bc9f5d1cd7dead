/** The command `mecgym`: puts the parts together and reads the command line. */

import { Command } from "commander";
import { serveCommand } from "./commands/serve.js";
import { scenariosCommand } from "./commands/scenarios.js";
import { runProgram } from "./commands/program.js";

const program = new Command("mecgym")
  .description("Task offloading in mobile edge computing: simulator, benchmark and bridge.")
  .addCommand(scenariosCommand())
  .addCommand(serveCommand());

await runProgram(program);
