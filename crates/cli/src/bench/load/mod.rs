//! What is done to the server.
//!
//! Read `plan` (what is to be done), `pace` (when each message is due; `pacer` wakes
//! in time), `run` (what all share; `fan` is the part of fan-outs), then what a
//! connection does: `echo`, `fan_out` and `idle`, with `sending` and `turns` for what they have in
//! common; last `holding`, its life around that.

pub(super) mod pacer;

pub(super) mod pace;

pub(super) mod fan;

pub(super) mod plan;

pub(super) mod run;

pub(super) mod sending;

pub(super) mod turns;

pub(super) mod echo;

pub(super) mod fan_out;

pub(super) mod idle;

pub(super) mod holding;
