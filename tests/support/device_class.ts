import type { AdapterClass, DeviceClass } from "../../src/runtime/device_class.js";

/** A class of devices with subgroups of this size, 0 where it varies; without subgroups when it is not given. */
export const classOf = (adapter: AdapterClass, subgroup?: number, more: Partial<DeviceClass> = {}): DeviceClass => ({
  adapter,
  features: new Set(subgroup === undefined ? [] : ["subgroups"]),
  vendor: "",
  subgroup: subgroup ?? 0,
  subgroupMinSize: subgroup ?? 0,
  matrices: [],
  unroll: false,
  ...more,
});
