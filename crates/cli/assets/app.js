// Starts the page: each panel is a module of its own, and has a connection of its own.

import { startChatPanel } from "./chat.js";
import { startConnectPanel } from "./connect.js";
import { startConnectionsPanel } from "./connections.js";
import { startFloodPanel } from "./flood.js";
import { startHelloPanel } from "./hello.js";
import { startLatencyPanel } from "./latency.js";

const panel = (id) => document.getElementById(id);

document.getElementById("host").textContent = location.host;
startConnectPanel(panel("connect"));
startLatencyPanel(panel("latency"));
startFloodPanel(panel("flood"));
startChatPanel(panel("chat"));
startHelloPanel(panel("routes"));
startConnectionsPanel(panel("connections"));
