// Strict OCPP 2.0.1 charging stations: ocpp-rpc's RPCClient, driven over stdin (pipe.mjs).
// {"do": "connect", identity, endpoint, password?, tls?: {ca, cert?, key?}, protocols?, strict?}: {protocol, cipher}.
// {"do": "call", identity, action, payload}: call the CSMS, return its answer.
// {"do": "raw", identity, text}: send this text as it stands.
// {"do": "answer", identity, action, payload | error}: answer this action so from now on.
// {"do": "close", identity}
import { createRPCError, RPCClient } from "ocpp-rpc";
import { Answers, complain, obey, say } from "./pipe.mjs";

const stations = new Map();

class Station {
  client = null;
  variables = new Map();
  answers = new Answers({
    GetVariables: ({ getVariableData }) => ({ getVariableResult: getVariableData.map((datum) => this.get(datum)) }),
    SetVariables: ({ setVariableData }) => ({ setVariableResult: setVariableData.map((datum) => this.set(datum)) }),
  }, createRPCError);

  // A device model that holds what was set, and knows no more.
  get(datum) {
    const value = this.variables.get(nameOf(datum));
    return value === undefined
      ? { ...datum, attributeStatus: "UnknownVariable" }
      : { ...datum, attributeStatus: "Accepted", attributeValue: value };
  }

  set({ attributeValue, ...datum }) {
    this.variables.set(nameOf(datum), attributeValue);
    return { ...datum, attributeStatus: "Accepted" };
  }

  async connect(identity, { endpoint, password, tls, protocols, strict }) {
    const client = new RPCClient({
      endpoint, identity, password, protocols, strictMode: strict,
      reconnect: false, callTimeoutMs: 20_000, wsOpts: { ...tls },
    });
    complain(client, identity);
    this.answers.serve(client, identity);
    client.on("open", () => client.once("close", ({ code, reason }) => say("closed", { identity, code, reason })));
    this.client = client;
    const { response } = await client.connect();
    return { protocol: client.protocol, cipher: response.socket.getCipher?.().standardName ?? null };
  }
}

function nameOf({ component, variable }) {
  return [component.name, variable.name, variable.instance].filter((part) => part !== undefined).join(".");
}

function named(identity) {
  if (!stations.has(identity)) {
    stations.set(identity, new Station());
  }
  return stations.get(identity);
}

obey({
  answer: ({ identity, ...answer }) => named(identity).answers.set(answer),
  call: ({ identity, action, payload }) => named(identity).client.call(action, payload),
  close: ({ identity }) => named(identity).client?.close({ awaitPending: true }),
  connect: ({ identity, password = null, tls = {}, protocols = ["ocpp2.0.1"], strict = true, ...rest }) =>
    named(identity).connect(identity, { password, tls, protocols, strict, ...rest }),
  nothing: () => null,
  raw: ({ identity, text }) => named(identity).client.sendRaw(text),
});
