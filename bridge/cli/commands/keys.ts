/** `mecgym keys new`: makes the keys by which a server and its clients know each other. */

import { Command } from "commander";
import { checkOption } from "../../../env/checks.js";
import { CLIENT_NAME, SERVER_NAME, writeKeyPair } from "../../keys/key-files.js";
import { withExample } from "../support/program.js";

export function keysCommand(): Command {
  const command = new Command("keys").description("Make keys for servers that others can reach (docs/security.md).");
  const make = new Command("new")
    .description("Make a pair of keys for each name: NAME.key to give away, and NAME.key_secret to keep.")
    .argument("[names...]", "owners of the keys", [SERVER_NAME, CLIENT_NAME])
    .option("--out <folder>", "folder to write them to", "mecgym-keys")
    .action((names: string[], { out }: { readonly out: string }) => {
      for (const name of names) checkName(name);
      for (const name of names)
        process.stdout.write(
          writeKeyPair(out, name)
            .map((path) => `${path}\n`)
            .join(""),
        );
    });
  return command.addCommand(withExample(make, "keys new server client --out mecgym-keys"));
}

function checkName(name: string): void {
  checkOption(/^[A-Za-z0-9][\w.-]{0,63}$/.test(name), "name", name, "letters, digits, '.', '_' and '-'");
}
