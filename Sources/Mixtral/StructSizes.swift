// Sizes of the structs of the headers, this release's and those of older ones, that cut no field in
// two. Made by scripts/make_declarations.py.
import CMixtral

extension mixtral_info: SizedStruct {
  static func isWhole(_ size: Int) -> Bool {
    switch size {
    case 4, 8, 12, 16, 20, 24, 28, 32, 36, 40, 44, 48: true
    case 52, 56, 60, 64, 68, 72, 76, 80, 84, 88, 96, 104: true
    case 112, 120, 128, 136, 140, 144: true
    default: false
    }
  }
}

extension mixtral_load_options: SizedStruct {
  static func isWhole(_ size: Int) -> Bool {
    switch size {
    case 4, 8, 12, 16, 24, 28, 32, 40, 48, 56, 64, 72: true
    default: false
    }
  }
}

extension mixtral_pack_options: SizedStruct {
  static func isWhole(_ size: Int) -> Bool {
    switch size {
    case 4, 8, 12, 16, 24, 32: true
    default: false
    }
  }
}

extension mixtral_sampler_options: SizedStruct {
  static func isWhole(_ size: Int) -> Bool {
    switch size {
    case 4, 8, 12, 16, 20, 24, 28, 32, 36, 40, 44, 48: true
    case 56, 64, 72, 80, 88: true
    default: false
    }
  }
}

extension mixtral_session_options: SizedStruct {
  static func isWhole(_ size: Int) -> Bool {
    switch size {
    case 4, 8, 12, 16: true
    default: false
    }
  }
}

extension mixtral_state: SizedStruct {
  static func isWhole(_ size: Int) -> Bool {
    switch size {
    case 4, 8, 16, 24, 32: true
    default: false
    }
  }
}
