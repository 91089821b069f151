// Writes schema.json, which is committed: the tests need no Node.
import { readFileSync, writeFileSync } from "node:fs";
import { createGenerator } from "ts-json-schema-generator";

const PACKAGE = "node_modules/@grafana/schema";
const RAW = `${PACKAGE}/dist/esm/raw`;
const panel = (folder, name) => `${RAW}/composable/${folder}/panelcfg/x/${name}PanelCfg_types.gen.d.ts`;
const PUBLISHED = {
  dashboard: [`${RAW}/dashboard/x/dashboard_types.gen.d.ts`, "Dashboard"],
  "nodeGraph.options": [panel("nodegraph", "NodeGraph"), "Options"],
  "stat.options": [panel("stat", "Stat"), "Options"],
  "table.options": [panel("table", "Table"), "Options"],
  "table.custom": [panel("table", "Table"), "FieldConfig"],
  "timeseries.options": [panel("timeseries", "TimeSeries"), "Options"],
  "timeseries.custom": [panel("timeseries", "TimeSeries"), "FieldConfig"],
};

const { name, version, license } = JSON.parse(readFileSync(`${PACKAGE}/package.json`));
const schema = { $comment: `Generated from ${name} ${version}, Copyright Grafana Labs, ${license}`, version };
for (const [key, [path, type]] of Object.entries(PUBLISHED)) {
  schema[key] = createGenerator({ path, type, skipTypeCheck: true }).createSchema(type);
}
const undescribed = (key, value) => (key === "description" && typeof value === "string" ? undefined : value);
writeFileSync("schema.json", JSON.stringify(schema, undescribed, 1) + "\n");
