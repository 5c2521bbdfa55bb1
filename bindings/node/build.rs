//! Tells the linker that the engine has the symbols of Node-API.

fn main() {
    napi_build::setup();
}
