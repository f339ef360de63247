"""Who made the networks, and where their code and papers are."""

SAFMN_CODE = "https://github.com/sunny2109/SAFMN (arXiv:2302.13800)"
SAFMN_AUTHORS = "Long Sun, Jiangxin Dong, Jinhui Tang, Jinshan Pan"
PLAINUSR_CODE = "https://github.com/icandle/PlainUSR (arXiv:2409.13435)"
PLAINUSR_AUTHORS = "Yan Wang, Yusen Li, Gang Wang, Xiaoguang Liu"
DARKIR_CODE = "https://github.com/cidautai/DarkIR (arXiv:2412.13443)"
DARKIR_AUTHORS = "Daniel Feijoo, Juan C. Benito, Alvaro Garcia, Marcos V. Conde"
