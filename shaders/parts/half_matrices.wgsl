// What matrix units multiply. It comes first in a shader, because `enable` must.
diagnostic(off, chromium.subgroup_matrix_uniformity); // what a subgroup does depends on its number only
enable f16;
enable subgroups;
enable chromium_experimental_subgroup_matrix;
alias Element = f16;
const HALF = true;
