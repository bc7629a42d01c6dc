//! What serving over https takes: a certificate that is made on the spot, and the addresses that a phone can
//! be told.
//!
//! Nobody vouches for such a certificate, so the browser warns, once for each start of the server. What it
//! shows of the certificate can be compared with the fingerprint that the program prints. The key is never
//! written anywhere.

use std::net::{IpAddr, Ipv4Addr, UdpSocket};

use anyhow::Context;
use axum_server::tls_rustls::RustlsConfig;
use jiff::{ToSpan, ZonedDateTime};
use qrcode::render::unicode::Dense1x2;
use qrcode::{EcLevel, QrCode};
use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose, KeyPair, KeyUsagePurpose, date_time_ymd};
use ring::digest::{SHA256, digest};

/// From how many days ago the certificate holds, and for how many more: a phone's clock may be slow, and so may
/// that of a small computer without a battery. Safari refuses those of more than 398 days.
const DAYS: [i64; 2] = [30, 360];

/// A certificate for addresses, and its key.
pub struct Certificate {
    /// As it is sent, in DER.
    pub certificate: Vec<u8>,
    key: Vec<u8>,
}

impl Certificate {
    /// Made on the spot, signed by itself, for `localhost` and these addresses.
    ///
    /// # Errors
    /// Where there is no randomness to make a key of.
    pub fn for_addresses(addresses: &[IpAddr]) -> anyhow::Result<Self> {
        let names = ["localhost".to_owned()].into_iter().chain(addresses.iter().map(IpAddr::to_string));
        let mut params = CertificateParams::new(names.collect::<Vec<_>>())?;
        params.distinguished_name.push(DnType::CommonName, "Mien, made on the spot");
        // Phones ask for these two.
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let now = ZonedDateTime::now();
        [params.not_before, params.not_after] = [-DAYS[0], DAYS[1]].map(|days| {
            let day = now.saturating_add(days.days());
            date_time_ymd(day.year().into(), day.month() as u8, day.day() as u8)
        });
        let key = KeyPair::generate()?;
        let certificate = params.self_signed(&key)?;
        Ok(Self { certificate: certificate.der().to_vec(), key: key.serialize_der() })
    }

    /// Its SHA-256, as browsers show it.
    pub fn fingerprint(&self) -> String {
        let hash = digest(&SHA256, &self.certificate);
        hash.as_ref().iter().map(|byte| format!("{byte:02X}")).collect::<Vec<_>>().join(":")
    }

    /// What a server shows it by.
    ///
    /// # Errors
    /// Where the library can't use it.
    pub async fn server(&self) -> anyhow::Result<RustlsConfig> {
        RustlsConfig::from_der(vec![self.certificate.clone()], self.key.clone())
            .await
            .context("the certificate can't be used")
    }
}

/// By which addresses a server on `host` can be reached from this machine's networks: first the one that leads
/// out of here, which is the likeliest to be the phone's network. None of the machine's own (127.0.0.1), and
/// of those of version 6 none that a browser can't be told (fe80::).
pub fn reachable(host: IpAddr) -> Vec<IpAddr> {
    if !host.is_unspecified() {
        return if host.is_loopback() { Vec::new() } else { vec![host] };
    }
    let own = if_addrs::get_if_addrs().unwrap_or_default();
    let own: Vec<IpAddr> = own.iter().map(if_addrs::Interface::ip).collect();
    chosen(host, &own, outward())
}

fn chosen(host: IpAddr, own: &[IpAddr], outward: Option<IpAddr>) -> Vec<IpAddr> {
    let mut addresses: Vec<IpAddr> = own
        .iter()
        .copied()
        .filter(|address| match address {
            IpAddr::V4(it) => !it.is_loopback() && !it.is_link_local(),
            IpAddr::V6(it) => host.is_ipv6() && !it.is_loopback() && !it.is_unicast_link_local(),
        })
        .collect();
    addresses.sort_by_key(|address| (Some(*address) != outward, address.is_ipv6()));
    addresses.dedup();
    addresses
}

/// The address of this machine on its way out. Nothing is sent: the system only says which it would take.
fn outward() -> Option<IpAddr> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).ok()?;
    // Of a network that is kept for examples.
    socket.connect((Ipv4Addr::new(203, 0, 113, 1), 9)).ok()?;
    Some(socket.local_addr().ok()?.ip()).filter(|address| !address.is_unspecified())
}

/// An address as a picture of characters that a phone's camera reads: black on white, whatever the terminal's
/// colours are.
pub fn picture_of(url: &str) -> anyhow::Result<String> {
    let code = QrCode::with_error_correction_level(url, EcLevel::L)?;
    let text = code.render::<Dense1x2>().dark_color(Dense1x2::Dark).light_color(Dense1x2::Light).build();
    let lines = text.lines().map(|line| format!("\x1b[30;107m{line}\x1b[0m\n"));
    Ok(lines.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_that_a_phone_can_use_come_first() {
        let own = ["127.0.0.1", "172.17.0.1", "192.168.1.20", "::1", "fe80::1", "fd00::20", "169.254.3.4"]
            .map(|it| it.parse().unwrap());
        let outward = Some("192.168.1.20".parse().unwrap());
        let shown = |host: &str, outward| {
            let addresses = chosen(host.parse().unwrap(), &own, outward);
            addresses.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(shown("0.0.0.0", outward), ["192.168.1.20", "172.17.0.1"]);
        assert_eq!(shown("::", outward), ["192.168.1.20", "172.17.0.1", "fd00::20"]);
        assert_eq!(shown("0.0.0.0", None), ["172.17.0.1", "192.168.1.20"]);
        assert!(reachable("127.0.0.1".parse().unwrap()).is_empty());
        assert_eq!(reachable("203.0.113.7".parse().unwrap()), ["203.0.113.7".parse::<IpAddr>().unwrap()]);
        assert!(reachable("0.0.0.0".parse().unwrap()).iter().all(|it| !it.is_loopback()));
    }

    #[test]
    fn a_certificate_is_made_anew_each_time() {
        let one = Certificate::for_addresses(&["203.0.113.7".parse().unwrap()]).unwrap();
        let other = Certificate::for_addresses(&[]).unwrap();
        let print = one.fingerprint();
        assert_ne!(print, other.fingerprint());
        assert_eq!((print.len(), print.matches(':').count()), (95, 31));
        // The address and the name stand in it.
        let holds = |it: &Certificate, part: &[u8]| it.certificate.windows(part.len()).any(|at| at == part);
        assert!(holds(&one, &[203, 0, 113, 7]) && holds(&one, b"localhost"));
        assert!(!holds(&other, &[203, 0, 113, 7]));
    }

    #[test]
    fn an_address_is_a_square() {
        let picture = picture_of("https://192.168.1.20:8000").unwrap();
        // 25 modules and a margin of four on each side, two to a character upwards.
        assert_eq!(picture.lines().count(), 17);
        for line in picture.lines() {
            let line = line.strip_prefix("\x1b[30;107m").unwrap().strip_suffix("\x1b[0m").unwrap();
            assert_eq!(line.chars().count(), 33);
        }
    }
}
