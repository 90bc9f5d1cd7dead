/** `mecgym tune`: searches the numbers that the native policies are played with, on seeds that no result uses. */

import { Command } from "commander";
import { tuneAdaptiveCommand } from "./tune-adaptive.js";
import { tunePricedCommand } from "./tune-priced.js";
import { tuneReferenceCommand } from "./tune-reference.js";

export function tuneCommand(): Command {
  return new Command("tune")
    .description("Search the numbers that the native policies are played with, on train and validation seeds.")
    .addCommand(tunePricedCommand())
    .addCommand(tuneAdaptiveCommand())
    .addCommand(tuneReferenceCommand());
}
