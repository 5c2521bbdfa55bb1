//! Tests of the `longwire` command: one binary, a module for each subject.

mod program;

mod odd_server;

mod terminal;

mod puppet;

mod browser;

mod connect;

mod pipe;

mod prompt;

mod serve;

mod service;

mod services;

mod access;

mod operation;

mod nginx;

mod bench;

mod bench_time;

mod bench_fan_out;

mod bench_report;

mod bench_progress;

mod ping;

mod between;

mod proxy;

mod proxy_streams;

mod proxy_options;

mod faults;

mod replay;

mod check_broken;

mod check;

mod generate;
