//! Every alarm and hold an operator can see: a stable short name, a sentence and what to do, in Chinese and English.
//! A name may be followed by `:` and what it is about (`device-down:cam1`).

pub struct Alarm {
    pub name: &'static str,
    pub zh: &'static str,
    pub en: &'static str,
    pub do_zh: &'static str,
    pub do_en: &'static str,
}

/// The alarm of a full name.
pub fn find(full: &str) -> Option<&'static Alarm> {
    let name = full.split(':').next().unwrap_or(full);
    ALARMS.iter().find(|a| a.name == name)
}

pub const ALARMS: &[Alarm] = &[
    Alarm {
        name: "device-down",
        zh: "设备断线",
        en: "a device is not connected",
        do_zh: "检查电源、网线和地址；恢复后自动继续",
        do_en: "check its power, cable and address; the line goes on when it is back",
    },
    Alarm {
        name: "printer-not-ready",
        zh: "打印机不能打印",
        en: "a printer cannot print",
        do_zh: "看打印机屏幕，排除故障",
        do_en: "look at the printer's own screen and clear its fault",
    },
    Alarm {
        name: "out-of-step",
        zh: "装箱顺序错位",
        en: "a packing station lost step",
        do_zh: "清空该工位的箱子和来料，再执行 station clear",
        do_en: "empty its parent and what is on the way to it, then station clear",
    },
    Alarm {
        name: "consecutive-rejects",
        zh: "连续剔除",
        en: "too many rejects in a row",
        do_zh: "查看最近的剔除原因，修好后继续",
        do_en: "see the newest reasons, mend the cause, resume",
    },
    Alarm {
        name: "label-unread",
        zh: "标签多次未读到",
        en: "a label was not read, several times",
        do_zh: "取出该箱，检查贴标和读码",
        do_en: "take the parent off the line, check the applicator and the reader",
    },
    Alarm {
        name: "reject-not-confirmed",
        zh: "剔除未确认",
        en: "rejects are not seen in the bin",
        do_zh: "检查剔除器、气压和料箱传感器",
        do_en: "check the rejecter, its air and the bin's sensor",
    },
    Alarm {
        name: "gate-stuck",
        zh: "剔除口卡住",
        en: "something is stuck at a reject",
        do_zh: "停线后执行 station retract，取出卡住的东西，再继续",
        do_en: "hold the line, station retract, take out what is stuck, then resume",
    },
    Alarm {
        name: "gate-retracted",
        zh: "剔除器已手动收回",
        en: "a gate was taken back by hand and rests",
        do_zh: "现场清理好后继续；其间停在剔除器前的产品会被剔除",
        do_en: "resume when everything is clear; what stood in front of it is rejected",
    },
    Alarm {
        name: "horn",
        zh: "喇叭在响",
        en: "the horn sounds",
        do_zh: "执行 horn off 静音，并处理停线原因",
        do_en: "silence it with horn off, and see why the line stands",
    },
    Alarm {
        name: "gate-late",
        zh: "闸门动作过迟",
        en: "a gate word came too late",
        do_zh: "检查工控机负载和 I/O 网络；产品按剔除记账；常开剔除时可能已漏过，线已暂停",
        do_en: "check the PC's load and the I/O network; the thing counts as rejected, at a gate that energises to reject it may have got by: the line is held",
    },
    Alarm { name: "pool-low", zh: "码快用完", en: "few codes are left", do_zh: "导入新的码包", do_en: "import the next pack" },
    Alarm {
        name: "pool-empty",
        zh: "码已用完",
        en: "no codes are left",
        do_zh: "导入新的码包，然后继续",
        do_en: "import a pack, then resume",
    },
    Alarm {
        name: "code-unprintable",
        zh: "打印机打不了这种码",
        en: "a printer cannot print such a code",
        do_zh: "线已暂停，该码作废；status 中有原因；作废该码包（pack void）并换合适的码包，或换打印机配置，然后继续",
        do_en: "the line is held and the code is lost, status says why; pack void its pack and import a fitting one, or use another printer, then resume",
    },
    Alarm {
        name: "supply-refused",
        zh: "自动订码受阻",
        en: "ordering codes is blocked",
        do_zh: "执行 supply list 看原因；排除后 supply try，或 supply cancel 放弃该订单",
        do_en: "supply list says why; mend it, then supply try, or give the order up with supply cancel",
    },
    Alarm {
        name: "supply-down",
        zh: "码源不通，码将用完",
        en: "codes will run out before the source is asked again",
        do_zh: "检查网络和码源；supply try 立即再试，或手工导入码包",
        do_en: "check the network and the source; supply try asks now, or import a pack by hand",
    },
    Alarm {
        name: "pack-expiring",
        zh: "码包快过期",
        en: "the codes of a pack expire soon",
        do_zh: "先用这个码包，或及早退回剩余的码（pack return）",
        do_en: "use this pack first, or give the rest back in time (pack return)",
    },
    Alarm {
        name: "pack-expired",
        zh: "码包已过期，不再使用",
        en: "a pack's last day is over; its codes are not used any more",
        do_zh: "导入新的码包；剩余的码作废或退回（pack void / pack return）",
        do_en: "import a new pack; void or return what is left (pack void, pack return)",
    },
    Alarm {
        name: "range-low",
        zh: "号段快用完",
        en: "a number range ends in a few hours",
        do_zh: "为该层级准备新号段，写入配置，在换班时重新启动",
        do_en: "prepare the level's next range, write it into the configuration, restart between jobs",
    },
    Alarm {
        name: "range-empty",
        zh: "号段已用完",
        en: "a number range is used up",
        do_zh: "在配置中给该层级新号段，重新启动后继续",
        do_en: "give the level another range in the configuration, restart, then resume",
    },
    Alarm {
        name: "writer-slow",
        zh: "磁盘写入慢",
        en: "the disk is slow",
        do_zh: "检查磁盘；恢复后继续",
        do_en: "check the disk, then resume",
    },
    Alarm {
        name: "disk-full", zh: "磁盘已满", en: "the disk is full", do_zh: "腾出空间后重新启动", do_en: "make room, then start again"
    },
    Alarm {
        name: "clock-suspect",
        zh: "时钟不可信",
        en: "the clock is not trusted",
        do_zh: "校准系统时间，然后执行 clock trust",
        do_en: "set the system's time, then clock trust",
    },
    Alarm {
        name: "io-slow",
        zh: "I/O 模块应答太慢",
        en: "an I/O module answers too slowly for its gates",
        do_zh: "检查 I/O 网络和模块；恢复后继续",
        do_en: "check the I/O network and the module, then resume",
    },
    Alarm {
        name: "counter-jump",
        zh: "触发计数器跳变",
        en: "a trigger's counter jumped",
        do_zh: "检查 I/O 模块；其间的过件数未知；确认现场后继续",
        do_en: "check the I/O module; how many things went by is unknown; look at the line, then resume",
    },
    Alarm {
        name: "encoder-lost",
        zh: "编码器倒转或跳变",
        en: "a gate's encoder ran backwards or jumped",
        do_zh: "检查编码器和 I/O 模块；到剔除器前的产品都按剔除处理；确认现场后继续",
        do_en: "check the encoder and the I/O module; what stood in front of the gate is rejected; look at the line, then resume",
    },
    Alarm {
        name: "io-overwritten",
        zh: "有别的程序在写 I/O 模块",
        en: "somebody else writes to an I/O module",
        do_zh: "停掉另一个写这个模块的程序（另一个 packmark、调试工具、模块自己的联锁），然后继续",
        do_en: "stop what else writes to it (a second packmark, a test tool, the module's own logic), then resume",
    },
    Alarm {
        name: "io-safe",
        zh: "I/O 模块曾进入安全状态",
        en: "an I/O module had dropped its outputs",
        do_zh: "检查 I/O 网络",
        do_en: "check the I/O network",
    },
    Alarm {
        name: "restored",
        zh: "账本是旧副本",
        en: "an older copy of the ledger was put back",
        do_zh: "中间的码已作废处理；查明原因",
        do_en: "codes in between are doubtful; find out who put it back",
    },
    Alarm {
        name: "pack-unused",
        zh: "码包与配置不符，未使用",
        en: "a pack's level or product is not in the configuration; it is not used",
        do_zh: "核对码包的层级和产品",
        do_en: "check the pack's level and product",
    },
    Alarm {
        name: "inbox-refused",
        zh: "收件夹中有文件被拒收",
        en: "a file in the inbox was refused",
        do_zh: "看 inbox/refused 里同名的 .txt；处理后把文件移走",
        do_en: "read the .txt beside it in inbox/refused; when it is dealt with, take the file away",
    },
    Alarm {
        name: "inbox-unreadable",
        zh: "收件夹无法读取",
        en: "the inbox cannot be read",
        do_zh: "检查 [packs] inbox 的路径、权限和网络盘",
        do_en: "check the path in [packs] inbox, its rights, and the network drive",
    },
    Alarm {
        name: "reader-noise",
        zh: "收到无法识别的数据",
        en: "a device sends what nobody understands",
        do_zh: "检查接线、波特率和设备设置",
        do_en: "check wiring, baud rate and the device's settings",
    },
    Alarm {
        name: "gs-missing",
        zh: "读码器不传 GS 分隔符",
        en: "a reader does not hand on GS",
        do_zh: "在读码器上打开 GS（1D）输出，关闭不可见字符过滤；键盘口改用串口",
        do_en: "switch GS (1D) on at the reader and its strip filter off; use its serial mode instead of the keyboard",
    },
    Alarm {
        name: "restart",
        zh: "程序刚重新启动",
        en: "the program started again",
        do_zh: "确认现场后继续",
        do_en: "look at the line, then resume",
    },
    Alarm { name: "operator", zh: "操作员暂停", en: "held by an operator", do_zh: "可以时继续", do_en: "resume when ready" },
];

#[cfg(test)]
mod tests {
    #[test]
    fn names_are_stable_words() {
        let mut seen = std::collections::BTreeSet::new();
        for a in super::ALARMS {
            assert!(seen.insert(a.name) && a.name.bytes().all(|b| b.is_ascii_lowercase() || b == b'-'), "{}", a.name);
            assert!(!a.do_zh.is_empty() && !a.do_en.is_empty() && !a.zh.is_ascii());
        }
        assert_eq!(super::find("device-down:cam1").unwrap().name, "device-down");
    }
}
