// What a partner's client by grpc-js sees of the gateway: one JSON a line of what it was asked for.
// node client.js MODULES IMAGE TARGET TOKEN

const path = require("node:path");
const fs = require("node:fs");

const [modules, image, target, token] = process.argv.slice(2);
const need = (name) => require(path.join(modules, "node_modules", name));
const grpc = need("@grpc/grpc-js");
const loader = need("@grpc/proto-loader");

const options = { longs: String, enums: String, keepCase: true };
const contracts = grpc.loadPackageDefinition(loader.loadFileDescriptorSetFromBuffer(fs.readFileSync(image), options)).tongban;
const insecure = grpc.credentials.createInsecure();
const metadata = new grpc.Metadata();
if (token) metadata.set("authorization", `Bearer ${token}`);

/** Calls one RPC; tells its answer, or its code and the words that came with it. */
function ask(service, method, request, meta = new grpc.Metadata(), deadline = 10_000) {
  const client = new service(target, insecure);
  return new Promise((resolve) => {
    client[method](request, meta, { deadline: Date.now() + deadline }, (error, answer) => {
      client.close();
      resolve(error ? { code: error.code, message: error.details, status: statusOf(error) } : { answer });
    });
  });
}

/** google.rpc.Status of an error, base64: the caller of this program reads it. */
function statusOf(error) {
  const [found] = error.metadata.get("grpc-status-details-bin");
  return found ? found.toString("base64") : null;
}

async function main() {
  const { identity, license, seal } = contracts;
  const said = {
    keys: await ask(identity.v1.TokenService, "GetJwks", {}),
    departments: await ask(identity.v1.StaffService, "ListDepartments", { page_size: 5 }, metadata),
    nobody: await ask(identity.v1.StaffService, "ListDepartments", { page_size: 5 }),
    broken: await ask(license.v1.VerificationService, "VerifyLicense", {}),
    late: await ask(identity.v1.TokenService, "GetJwks", {}, undefined, 0),
    nonsense: await ask(seal.v1.ValidationService, "ValidateDocument", { content: Buffer.from("no document") }),
  };
  console.log(JSON.stringify(said));
}

main();
