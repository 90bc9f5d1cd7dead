/** The version of the package, as results and messages show it. */

import packageJson from "../../package.json" with { type: "json" };

export const packageVersion: string = packageJson.version;
