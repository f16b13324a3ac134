// Proof that a rival in this very runtime gives work to the GPU.

/** What a call returns, and how many dispatches it gave the GPU: a rival that ran elsewhere would show here. */
export async function counted(run) {
  const { prototype } = GPUComputePassEncoder;
  const { dispatchWorkgroups, dispatchWorkgroupsIndirect } = prototype;
  let count = 0;
  const counting = (dispatch) =>
    function (...args) {
      count++;
      return dispatch.apply(this, args);
    };
  prototype.dispatchWorkgroups = counting(dispatchWorkgroups);
  prototype.dispatchWorkgroupsIndirect = counting(dispatchWorkgroupsIndirect);
  const result = await run();
  Object.assign(prototype, { dispatchWorkgroups, dispatchWorkgroupsIndirect });
  return { result, count };
}
