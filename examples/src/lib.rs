//! Runnable examples of Longwire, each one idea: see the files beside this folder.
