// A strict central system for many charge points: ocpp-rpc's RPCServer, driven over stdin (pipe.mjs).
// It speaks the OCPP version that the command line names, 1.6 without one.
// {"do": "call", identity, action, payload}: call a charge point, return its answer.
// {"do": "raw", identity, text}: send a charge point this text as it stands.
// {"do": "answer", action, payload | error}: answer this action so from now on.
// {"do": "reset"}: answer all actions as usual again.
// {"do": "leave"}: cut all connections, refuse new ones with 503; {"do": "return"}: be there again.
import { createRPCError, RPCServer } from "ocpp-rpc";
import { Answers, complain, obey, say } from "./pipe.mjs";

const PROTOCOL = process.argv[2] ?? "ocpp1.6";
const now = () => new Date().toISOString();
const clients = new Map();
let away = false;
let lastTransaction = 1000;

const boot = () => ({ status: "Accepted", currentTime: now(), interval: 300 });
const answers201 = {
  Authorize: { idTokenInfo: { status: "Accepted" } },
  BootNotification: boot,
  Heartbeat: () => ({ currentTime: now() }),
  StatusNotification: {},
  TransactionEvent: ({ idToken }) => (idToken === undefined ? {} : { idTokenInfo: { status: "Accepted" } }),
};
const answers16 = {
  Authorize: { idTagInfo: { status: "Accepted" } },
  BootNotification: boot,
  DataTransfer: { status: "Accepted", data: "from the backend" },
  DiagnosticsStatusNotification: {},
  FirmwareStatusNotification: {},
  Heartbeat: () => ({ currentTime: now() }),
  LogStatusNotification: {},
  MeterValues: {},
  SecurityEventNotification: {},
  SignedFirmwareStatusNotification: {},
  StartTransaction: () => ({ transactionId: ++lastTransaction, idTagInfo: { status: "Accepted" } }),
  StatusNotification: {},
  StopTransaction: { idTagInfo: { status: "Accepted" } },
};
const answers = new Answers(PROTOCOL === "ocpp1.6" ? answers16 : answers201, createRPCError);

const server = new RPCServer({ protocols: [PROTOCOL], strictMode: true, callTimeoutMs: 20_000 });

server.auth((accept, reject, { protocols }) => {
  if (away) {
    reject(503, "away");
  } else if (!protocols.has(PROTOCOL)) {
    reject(400, "no subprotocol in common");
  } else {
    accept({}, PROTOCOL);
  }
});

server.on("client", (client) => {
  const { identity } = client;
  clients.set(identity, client);
  client.once("close", ({ code }) => {
    if (clients.get(identity) === client) {
      clients.delete(identity);
    }
    say("disconnected", { identity, code });
  });
  complain(client, identity);
  answers.serve(client, identity);
  say("connected", { identity });
});

obey({
  answer: (args) => answers.set(args),
  call: ({ identity, action, payload }) => {
    const client = clients.get(identity);
    if (client === undefined) {
      throw new Error(`${identity} is not connected to the backend`);
    }
    return client.call(action, payload);
  },
  leave: () => {
    away = true;
    return Promise.all([...clients.values()].map((client) => client.close({ force: true })));
  },
  nothing: () => null,
  raw: ({ identity, text }) => clients.get(identity).sendRaw(text),
  reset: () => answers.reset(),
  return: () => {
    away = false;
  },
});

const http = await server.listen(0, "127.0.0.1");
say("listening", { port: http.address().port });
