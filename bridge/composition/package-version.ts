/** The version of the package, as it stands in results and messages. */

import packageJson from "../../package.json" with { type: "json" };

export const packageVersion: string = packageJson.version;
