// A partner's client in TypeScript: its types come from the region's OpenAPI document alone (openapi-typescript).
import createClient from "openapi-fetch";
import type { components, paths } from "./api";

declare const process: { argv: string[] };

type Department = components["schemas"]["identity.v1.Department"];
type Problem = components["schemas"]["Status"];

const [url, token, name] = process.argv.slice(2) as [string, string, string];
const nobody = createClient<paths>({ baseUrl: url });
const officer = createClient<paths>({ baseUrl: url, headers: { authorization: `Bearer ${token}` } });

const reasonOf = (error: Problem): string => {
  const info = error.details?.find((each) => each["@type"].endsWith("ErrorInfo"));
  return String(info?.reason);
};

const path = { params: { path: { department: name.split("/")[1]! } } };
const seen = await officer.GET("/v1/departments/{department}", path);
const department: Department | undefined = seen.data;
const refused = await nobody.GET("/v1/departments/{department}", path);
const verified = await nobody.POST("/v1/licenses:verify", { body: { digest: "sm3:" + "0".repeat(64) } });
// @ts-expect-error the contract knows no such field: the region refuses it, and so does the compiler
const wrong: components["schemas"]["license.v1.VerifyLicenseRequest"] = { digset: "sm3:" };
const misspelt = await nobody.POST("/v1/licenses:verify", { body: wrong });

console.log(
  JSON.stringify({
    department: department?.name,
    refused: [refused.response.status, reasonOf(refused.error!)],
    standing: verified.data?.standing,
    misspelt: [misspelt.response.status, reasonOf(misspelt.error!)],
  }),
);
