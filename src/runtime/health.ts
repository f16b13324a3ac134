import { DeviceError } from "./errors.js";

/** Why a device was lost. */
export interface DeviceLost {
  /** As `GPUDeviceLostInfo` has it. */
  readonly reason: "unknown" | "destroyed";
  /** What the driver says of it. */
  readonly message: string;
  /** Whether the next call opens another; false for a device of the caller's. */
  readonly reopens: boolean;
}

/** Whether a device can be used. */
export interface Health {
  /** Why it was lost, if it was before it was closed. */
  readonly lost: DeviceLost | undefined;
  /** Throws DeviceError when it was lost or closed. */
  check(): void;
  /** From now on it is the caller's will that it is lost. Returns false if it was closed before. */
  close(): boolean;
}

/** Watches a device; `onLost` is called once, if it is lost before it is closed. */
export function watchHealth(device: GPUDevice, owned: boolean, onLost: (lost: DeviceLost) => void): Health {
  let lost: DeviceLost | undefined;
  let tell: typeof onLost | undefined = onLost; // dropped when closed: a device of the caller's lives on
  const lose = (reason: DeviceLost["reason"], message: string): void => {
    if (lost || !tell) return;
    lost = { reason, message: message.trim(), reopens: owned };
    tell(lost);
  };
  void device.lost.then(({ reason, message }) => lose(reason, message));
  if (owned) {
    const destroy = device.destroy.bind(device);
    device.destroy = () => {
      lose("destroyed", "destroy() was called"); // at once: `lost` resolves after the call that may follow
      return destroy();
    };
  }
  return {
    get lost() {
      return tell && lost;
    },
    check() {
      if (!tell) throw new DeviceError("gpu: must not be used after dispose(); open it again");
      if (lost) throw new DeviceError(`gpu: the device was lost (${lost.reason}: ${lost.message}); ${cure(lost)}`);
    },
    close() {
      const first = tell !== undefined;
      tell = undefined;
      return first;
    },
  };
}

const cure = ({ reopens }: DeviceLost): string =>
  reopens
    ? "call again: the next call of a model opens another (gpu.ready())"
    : "it is the caller's: load again with another";
