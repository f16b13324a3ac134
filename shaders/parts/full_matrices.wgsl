// What matrix units multiply. It comes first in a shader, because `enable` must.
diagnostic(off, chromium.subgroup_matrix_uniformity); // what a subgroup does depends on its number only
enable subgroups;
enable chromium_experimental_subgroup_matrix;
alias Element = f32;
const HALF = false;
