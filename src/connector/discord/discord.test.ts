import { discordRig } from "../../../test/discord/rig.ts";
import { connectorSuite } from "../connector-suite.ts";

connectorSuite("discord", discordRig);
