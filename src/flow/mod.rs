//! Flows: the plan of steps with roles. One file each, one line each to register.
