//! The library's client for `longwire check client`, whose address is the
//! argument: `check-client 127.0.0.1:9001`.

use longwire_testkit::check_client::go_through_all;

#[tokio::main(flavor = "current_thread")]
async fn main() -> longwire::Result<()> {
    let address = std::env::args().nth(1);
    go_through_all(address.as_deref().unwrap_or("127.0.0.1:9001")).await
}
