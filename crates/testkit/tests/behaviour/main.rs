//! The behaviour tests of Longwire: one binary, a module for each subject.
