// Which addresses are public, how literals and networks are read, and that ports are refused.
//
// Thread: any. Promise: pure, nothing is connected to.

import Delivery
import Model
import Testing

@Suite struct AddressTests {
  private func refusal(_ text: String, port: UInt16 = 443, allowed: [String] = []) throws -> String? {
    let networks = try allowed.map { try Network($0) }
    return AddressGuard(allowed: networks).refusal(of: try address(text), port: port)
  }

  private func address(_ text: String) throws -> IPAddress { try #require(IPAddress(text)) }

  @Test(arguments: [
    "0.0.0.0", "0.255.255.255", "10.0.0.0", "10.255.255.255", "100.64.0.0", "100.127.255.255", "127.0.0.1",
    "127.255.255.255", "169.254.169.254", "172.16.0.0", "172.31.255.255", "192.0.0.1", "192.0.0.255", "192.0.2.7",
    "192.88.99.1", "192.168.0.0", "192.168.255.255", "198.18.0.0", "198.19.255.255", "198.51.100.1", "203.0.113.1",
    "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255",
  ])
  func `Private and special IPv4 addresses are refused`(text: String) throws {
    #expect(try refusal(text)?.contains("not public") == true)
  }

  @Test(arguments: [
    "1.1.1.1", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255", "128.0.0.0",
    "169.253.255.255", "169.255.0.0", "172.15.255.255", "172.32.0.0", "192.0.1.0", "192.0.3.0", "192.88.98.255",
    "192.88.100.0", "192.167.255.255", "192.169.0.0", "198.17.255.255", "198.20.0.0", "198.51.99.255", "198.51.101.0",
    "203.0.112.255", "203.0.114.0", "223.255.255.255",
  ])
  func `Their public neighbours pass`(text: String) throws { #expect(try refusal(text) == nil) }

  @Test(arguments: [
    "::", "::1", "::7f00:1", "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:8.8.8.8", "::ffff:0:127.0.0.1",
    "64:ff9b::127.0.0.1",
    "64:ff9b::10.0.0.1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::1", "100::1", "2001::1", "2001:1ff::1", "2001:db8::1",
    "2002:7f00:1::1", "3fff::1", "3fff:fff::1", "5f00::1", "fc00::1", "fd00:ec2::254", "fe80::1", "fec0::1", "ff02::1",
    "1::1", "4000::1",
  ])
  func `Private and special IPv6 addresses are refused`(text: String) throws {
    #expect(try refusal(text)?.contains("not public") == true)
  }

  @Test(arguments: [
    "2606:4700::1111", "2001:200::1", "2001:4860:4860::8888", "2003::1", "3ffe::1", "2a00:1450::1", "64:ff9b::8.8.8.8",
  ])
  func `Public IPv6 addresses pass, and translated public IPv4 ones`(text: String) throws {
    #expect(try refusal(text) == nil)
  }

  @Test func `An allowed network opens what it contains and nothing else`() throws {
    #expect(try refusal("10.1.2.3", allowed: ["10.1.0.0/16"]) == nil)
    #expect(try refusal("10.2.0.0", allowed: ["10.1.0.0/16"]) != nil)
    #expect(try refusal("::ffff:10.1.2.3", allowed: ["10.1.0.0/16"]) == nil)
    #expect(try refusal("64:ff9b::10.1.2.3", allowed: ["10.1.0.0/16"]) == nil)
    #expect(try refusal("fd00::5", allowed: ["fd00::/8"]) == nil)
    #expect(try refusal("fc00::5", allowed: ["fd00::/8"]) != nil)
    #expect(try refusal("::1", allowed: ["::1"]) == nil)
    #expect(try refusal("::2", allowed: ["::1"]) != nil)
    #expect(try refusal("192.168.7.7", allowed: ["0.0.0.0/0"]) == nil)
    #expect(try refusal("2001:db8::1:0:0:1", allowed: ["2001:db8:0:0:1::/80"]) == nil)
    #expect(try refusal("2001:db8::2:0:0:1", allowed: ["2001:db8:0:0:1::/80"]) != nil)
  }

  @Test(arguments: [25, 465, 587, 6379, 11211, 22, 53, 3306, 5432] as [UInt16])
  func `Ports of other services are refused even where the network is allowed`(port: UInt16) throws {
    #expect(try refusal("1.1.1.1", port: port)?.contains("port \(port)") == true)
    #expect(try refusal("10.0.0.1", port: port, allowed: ["10.0.0.0/8"]) != nil)
  }

  @Test(arguments: [
    "", "1", "127.1", "0x7f.0.0.1", "0177.0.0.1", "01.2.3.4", "1.2.3.256", "1.2.3.4.5", "1.2.3.", " 1.2.3.4", "::1::",
    ":::", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "::12345", "::g", "1.2.3.4::", "fe80::1%eth0", "[::1]",
    "1:2:3:4:5:6:7:8::",
    "１.1.1.1", "+1.1.1.1", ":1::2",
  ])
  func `Text that is no literal is not read as one`(text: String) { #expect(IPAddress(text) == nil) }

  @Test func `Addresses are written in the usual short form`() throws {
    let written = [
      ("1:0:0:0:0:0:0:1", "1::1"), ("0:0:0:0:0:0:0:0", "::"), ("2001:DB8:0:1:0:0:0:1", "2001:db8:0:1::1"),
      ("1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8"), ("::ffff:1.2.3.4", "::ffff:102:304"), ("1.2.3.4", "1.2.3.4"),
      ("1:0:2:3:4:5:6:7", "1:0:2:3:4:5:6:7"), ("fe80::", "fe80::"),
    ]
    for (text, short) in written { #expect("\(try address(text))" == short) }
  }

  @Test(arguments: ["", "10.0.0.0/33", "::/129", "10.0.0.0/", "10.0.0.0/-1", "example.com/8", "10.0.0.0/8/8", "10/8"])
  func `A network that is none is refused with a sentence`(text: String) {
    #expect(throws: DeliveryError.self) { try Network(text) }
  }

  @Test(arguments: [
    "ftp://example.com/", "file:///etc/passwd", "gopher://example.com", "example.com", "http://", "http://127.0.0.1/",
    "http://[::1]:8080/", "http://2130706433/", "http://0x7f.1/", "http://0177.1/", "https://example.com:25/",
    "http://user:secret@example.com/", "http://example.com@127.0.0.1/", "http://exa\nmple.com/",
    "http://169.254.169.254/",
  ])
  func `An address that cannot be delivered to is a problem of the configuration`(url: String) {
    #expect(!DestinationCheck.problems(of: destination(url, allowed: [])).isEmpty)
  }

  @Test(arguments: [
    "https://example.com/hooks?a=b", "http://example.com:8080/", "https://1.1.1.1/", "https://bücher.example/",
  ])
  func `Usual addresses are no problem`(url: String) {
    #expect(DestinationCheck.problems(of: destination(url, allowed: [])).isEmpty)
  }
}
