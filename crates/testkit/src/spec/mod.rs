//! The requirement lists under `spec/`, and the checker that traces them.
