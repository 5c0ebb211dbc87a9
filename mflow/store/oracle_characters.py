"""Which characters a database that does not keep Unicode can hold: it writes others as `?`, without a word.

Pure. Names of character sets: https://docs.oracle.com/en/database/oracle/oracle-database/19/nlspg/appendix-A-locale-data.html
"""

_UNICODE = frozenset({"AL32UTF8", "UTF8", "UTFE"})

_CODECS = {
    "US7ASCII": "ascii",
    "WE8MSWIN1252": "cp1252",
    "EE8MSWIN1250": "cp1250",
    "CL8MSWIN1251": "cp1251",
    "EL8MSWIN1253": "cp1253",
    "TR8MSWIN1254": "cp1254",
    "IW8MSWIN1255": "cp1255",
    "AR8MSWIN1256": "cp1256",
    "BLT8MSWIN1257": "cp1257",
    "VN8MSWIN1258": "cp1258",
    "WE8PC850": "cp850",
    "US8PC437": "cp437",
    "TH8TISASCII": "tis_620",
    "CL8KOI8R": "koi8_r",
    "CL8KOI8U": "koi8_u",
    "JA16SJIS": "shift_jis",
    "JA16SJISTILDE": "shift_jis",
    "JA16EUC": "euc_jp",
    "JA16EUCTILDE": "euc_jp",
    "KO16KSC5601": "euc_kr",
    "KO16MSWIN949": "cp949",
    "ZHS16CGB231280": "gb2312",
    "ZHS16GBK": "gbk",
    "ZHS32GB18030": "gb18030",
    "ZHT16BIG5": "big5",
    "ZHT16MSWIN950": "cp950",
    "ZHT16HKSCS": "big5hkscs",
}
_ISO_8859 = {
    "WE8ISO8859P1": 1,
    "EE8ISO8859P2": 2,
    "SE8ISO8859P3": 3,
    "NEE8ISO8859P4": 4,
    "CL8ISO8859P5": 5,
    "AR8ISO8859P6": 6,
    "EL8ISO8859P7": 7,
    "IW8ISO8859P8": 8,
    "WE8ISO8859P9": 9,
    "NE8ISO8859P10": 10,
    "BLT8ISO8859P13": 13,
    "CEL8ISO8859P14": 14,
    "WE8ISO8859P15": 15,
}


def lost(text: str, character_set: str) -> str:
    """The characters of the text that this character set of Oracle has not; all beyond ASCII, if it is not known."""
    if character_set in _UNICODE:
        return ""
    part = _ISO_8859.get(character_set)
    codec = f"iso8859_{part}" if part else _CODECS.get(character_set, "ascii")
    return "".join(one for one in dict.fromkeys(text) if not _has(codec, one))


def _has(codec: str, one: str) -> bool:
    try:
        one.encode(codec)
    except UnicodeEncodeError:
        return False
    return True
