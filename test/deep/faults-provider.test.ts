import { checkFaults } from "../data/faults-provider.ts";

checkFaults((_mode, all) => all);
