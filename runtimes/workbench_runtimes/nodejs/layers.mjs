// ES modules from layers. Node.js itself looks for what an `import` names in node_modules beside the code only; Lambda
// looks in NODE_PATH too, as `require` does.
//
// This file is both the switch and, in the thread that Node.js makes for it, the hook.

import { statSync } from "node:fs";
import module from "node:module";
import { pathToFileURL } from "node:url";

const find = () =>
  (process.env.NODE_PATH ?? "")
    .split(":")
    .filter((folder) => folder.endsWith("/node_modules") && statSync(folder, { throwIfNoEntry: false })?.isDirectory());

let folders;

/** Have imports found in layers, if there are any: the thread for it takes its time. Needs Node.js 18.19 or 20.6. */
export const findInLayers = () => {
  if (find().length > 0) {
    module.register?.(import.meta.url);
  }
};

export const resolve = async (specifier, context, next) => {
  try {
    return await next(specifier, context);
  } catch (error) {
    if (error?.code === "ERR_MODULE_NOT_FOUND" && /^[^./]/.test(specifier)) {
      folders ??= find();
      for (const folder of folders) {
        try {
          return await next(specifier, { ...context, parentURL: pathToFileURL(`${folder}/../layer.mjs`).href });
        } catch {
          // not in this one
        }
      }
    }
    throw error;
  }
};
