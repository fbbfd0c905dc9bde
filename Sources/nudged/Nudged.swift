@main struct Nudged { static func main() {} }
