#!/usr/bin/env node
/** The command `mecgym`: puts the parts together and reads the command line. */

import { Command } from "commander";
import { calibrateCommand } from "./commands/calibrate.js";
import { capacityCommand } from "./commands/capacity.js";
import { chaosCommand } from "./commands/chaos.js";
import { checkServerCommand } from "./commands/check-server.js";
import { datasetCommand } from "./commands/dataset.js";
import { demoCommand } from "./commands/demo.js";
import { keysCommand } from "./commands/keys.js";
import { promptCommand } from "./commands/prompt.js";
import { reportCommand } from "./commands/report.js";
import { runCommand } from "./commands/run.js";
import { scenariosCommand } from "./commands/scenarios.js";
import { scoreCommand } from "./commands/score.js";
import { serveCommand } from "./commands/serve.js";
import { speedCommand } from "./commands/speed.js";
import { submitCommand } from "./commands/submit.js";
import { topCommand } from "./commands/top.js";
import { tuneCommand } from "./commands/tune.js";
import { verifyCommand } from "./commands/verify.js";
import { runProgram } from "./support/program.js";

const program = new Command("mecgym")
  .description("Task offloading in mobile edge computing: simulator, benchmark and bridge.")
  .addCommand(scenariosCommand())
  .addCommand(runCommand())
  .addCommand(promptCommand())
  .addCommand(datasetCommand())
  .addCommand(scoreCommand())
  .addCommand(calibrateCommand())
  .addCommand(tuneCommand())
  .addCommand(capacityCommand())
  .addCommand(speedCommand())
  .addCommand(serveCommand())
  .addCommand(keysCommand())
  .addCommand(topCommand())
  .addCommand(checkServerCommand())
  .addCommand(verifyCommand())
  .addCommand(reportCommand())
  .addCommand(chaosCommand())
  .addCommand(submitCommand())
  .addCommand(demoCommand());

await runProgram(program);
